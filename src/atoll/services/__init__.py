"""One folder a service, named as AWS names it. Services do not import one another: they call each other's APIs."""
