"""The one door: HTTP core, authentication, dispatch."""
