"""`python -m soak`."""

from __future__ import annotations

from soak.run import main

if __name__ == "__main__":
    main()
