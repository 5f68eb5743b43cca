"""The console: server-rendered pages for people, at /console in the process of the API."""
