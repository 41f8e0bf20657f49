"""Archives of millions of instances, answered on many cores or machines."""
