"""The web console: pages made of API calls, under `/console` at the API's port; docs/console.md has more."""
