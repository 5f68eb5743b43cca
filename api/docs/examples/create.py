import os

import httpx

api = httpx.Client(
    base_url=os.environ["FALHOOK_API_URL"],
    headers={"Authorization": f"Bearer {os.environ['FALHOOK_API_KEY']}"},
    timeout=90,
)
request = {
    "endpoint": "fal-ai/kling-video/v2.1/master/text-to-video",
    "arguments": {"prompt": "A red fox in the snow", "duration": "5"},
    "metadata": {"order": "4711"},
}
answer = api.post("/v1/jobs", json=request, headers={"Idempotency-Key": "order-4711-python"})
answer.raise_for_status()
job = answer.json()
while not job["ended"]:
    job = api.get(f"/v1/jobs/{job['id']}", params={"wait": 60}).raise_for_status().json()
print(job["state"], job["sentence"])
for address in job["files"]:
    file = api.get(address, follow_redirects=True).raise_for_status()
    print(address, len(file.content), "bytes")
