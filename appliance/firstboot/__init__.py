"""What a stick does at every start before the worker: settings, own ids, data partition, host name, Wi-Fi, clock, models.

`steps` and `settings` decide and are pure; `perform` acts. Everything looks at what is there and mends what is missing,
so a start that was cut off at any point is finished by the next one.
"""
