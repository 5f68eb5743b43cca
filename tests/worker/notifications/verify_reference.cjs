// Verifies a message of Standard Webhooks with the reference library, and prints what it returns.
// Arguments: whsec_…, the headers as JSON; the body is stdin. NODE_PATH is tests/vendor/npm.
const { readFileSync } = require("node:fs");
const { Webhook } = require("standardwebhooks");

const [secret, headers] = process.argv.slice(2);
console.log(JSON.stringify(new Webhook(secret).verify(readFileSync(0), JSON.parse(headers))));
