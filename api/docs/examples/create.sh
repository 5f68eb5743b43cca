set -eu
auth="Authorization: Bearer $FALHOOK_API_KEY"
job=$(curl --fail-with-body -sS "$FALHOOK_API_URL/v1/jobs" -H "$auth" \
  -H "Idempotency-Key: order-4711-curl" -H "Content-Type: application/json" -d '{
    "endpoint": "fal-ai/kling-video/v2.1/master/text-to-video",
    "arguments": {"prompt": "A red fox in the snow", "duration": "5"},
    "metadata": {"order": "4711"},
    "max_price": 1.50
  }' | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
curl --fail-with-body -sS "$FALHOOK_API_URL/v1/jobs/$job?wait=60" -H "$auth"
