"""``python -m alignrec_geo VERB`` is ``alignrec-geo VERB``, also as ``torchrun -m alignrec_geo train …``."""

from alignrec_geo.cli.app import main

if __name__ == "__main__":
    main()
