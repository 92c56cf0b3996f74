"""Another OpenAI-compatible provider, asked when nobody in this pool can answer soon. Prompts leave the pool then."""
