"""Commands and programs as processes, as a person or a service manager starts them."""
