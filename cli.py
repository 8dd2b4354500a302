"""Run the command line from a checkout: ``python cli.py VERB`` is ``alignrec-geo VERB``."""

from alignrec_geo.cli.app import main

if __name__ == "__main__":
    main()
