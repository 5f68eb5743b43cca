const api = process.env.FALHOOK_API_URL;
const headers = {
  Authorization: `Bearer ${process.env.FALHOOK_API_KEY}`,
  "Content-Type": "application/json",
};
async function json(path, options = {}) {
  const answer = await fetch(api + path, { ...options, headers: { ...headers, ...options.headers } });
  const body = await answer.json();
  if (!answer.ok) throw new Error(`${body.code}: ${body.detail} (retry: ${body.retry})`);
  return body;
}
let job = await json("/v1/jobs", {
  method: "POST",
  headers: { "Idempotency-Key": "order-4711-node" },
  body: JSON.stringify({
    endpoint: "fal-ai/kling-video/v2.1/master/text-to-video",
    arguments: { prompt: "A red fox in the snow", duration: "5" },
  }),
});
while (!job.ended) job = await json(`/v1/jobs/${job.id}?wait=60`);
console.log(job.state, job.files);
