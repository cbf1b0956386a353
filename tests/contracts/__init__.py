"""What others build on: clients made of the API's description."""
