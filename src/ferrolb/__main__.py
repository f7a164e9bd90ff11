"""`python -m ferrolb`."""

from ferrolb.cli import main

if __name__ == "__main__":
    main()
