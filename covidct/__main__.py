"""`python -m covidct` is the command `covidct`."""

from covidct.apps.cli.main import main

if __name__ == "__main__":
    main(prog_name="covidct")
