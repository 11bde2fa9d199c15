"""What a release is judged by: which pipelines a change affects, and the checks they are put through."""
