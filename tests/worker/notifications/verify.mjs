// Verifies a message of Standard Webhooks with nothing but Node, and prints the versions that match.
// Arguments: whsec_…, whpk_…, webhook-id, webhook-timestamp, webhook-signature; the body is stdin.
import { createHmac, createPublicKey, timingSafeEqual, verify } from "node:crypto";
import { readFileSync } from "node:fs";

const [secret, publicKey, id, timestamp, signatures] = process.argv.slice(2);
if (Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) process.exit(1);
const content = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), readFileSync(0)]);
const key = Buffer.from(secret.replace("whsec_", ""), "base64");
const expected = createHmac("sha256", key).update(content).digest();
const x = Buffer.from(publicKey.replace("whpk_", ""), "base64").toString("base64url");
const ed25519 = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
const matching = signatures.split(" ").filter((entry) => {
  const [version, text] = entry.split(",");
  const signature = Buffer.from(text, "base64");
  if (version === "v1") return signature.length === 32 && timingSafeEqual(signature, expected);
  return version === "v1a" && verify(null, content, ed25519, signature);
});
console.log(matching.map((entry) => entry.split(",")[0]).join(" "));
