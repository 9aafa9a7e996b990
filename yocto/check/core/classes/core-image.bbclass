# Stands in for the class of that name.
