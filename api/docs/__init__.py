"""The pages about the API, served by itself: a viewer of its document, and its problems."""
