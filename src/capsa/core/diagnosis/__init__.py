"""What is wrong with a home, judged from facts: `home` its files, `machine` what it runs on, `network` the rest.

Whoever gathers the facts does no judging, and nothing here looks at anything but what it is given.
"""
