"""The version of falhook; the build reads it from here, into the metadata of the package."""

VERSION = "0.1.0"
