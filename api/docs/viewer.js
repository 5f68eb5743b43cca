// Shows the document of this API. `validatorUrl` null asks no other server about it.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#viewer",
  deepLinking: true,
  validatorUrl: null,
  requestSnippetsEnabled: true,
});
