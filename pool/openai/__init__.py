"""OpenAI's HTTP dialect as values and bytes. Pure: ids, times and random numbers come in as arguments."""
