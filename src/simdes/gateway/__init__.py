"""HTTP in, HTTP out: the custody API and health of one organisation, over `simdes.exchange`."""
