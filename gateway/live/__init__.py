"""What changes while the gateway runs: prompts and settings taken up anew, and versions tried beside the one in force.

    edition -> reloading     everything that is made of the settings and the prompts; replaced as one
    shared                   what several editions use
    changes                  what a reload may change, and what has changed
    watching                 when to look at the prompts
    canaries -> trials       which version answers; whether it does worse, and is held back
    holds                    what every gateway of a state knows of that
    shadows                  versions that are run beside the answers

Knows no HTTP and no store's kind; `gateway/app.py` and `gateway/editions.py` name the concrete classes.
"""
