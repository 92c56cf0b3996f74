"""The use case of answering: a request and an account become jobs, and their events become the client's answer."""
