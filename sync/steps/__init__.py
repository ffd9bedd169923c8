"""The steps of a cycle; `sync.pipeline` reads them top to bottom."""
