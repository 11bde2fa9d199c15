"""The page *Test environments*, and the REST API beside it."""
