"""What people try out at a desk: one prompt many times, a text on several models. Knows the settings and no tenant.

Nothing here passes the gateway: it asks backends by itself, spends no tenant's budget and leaves no row in the journal.
"""
