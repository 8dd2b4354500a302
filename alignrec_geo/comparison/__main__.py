"""``python -m alignrec_geo.comparison RUN_FOLDER``: the process of one run."""

from alignrec_geo.deferred_imports import defer_imports

if __name__ == "__main__":
    defer_imports()
    from alignrec_geo.comparison.worker import main

    main()
