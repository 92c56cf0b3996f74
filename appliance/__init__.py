"""The worker side: what runs on a volunteer's machine."""
