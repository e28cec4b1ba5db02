"""The IDE, served by us: no outside host, nothing kept but what the browser is told to keep."""
