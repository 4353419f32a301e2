"""Language models: recurrent cells that read texts token by token."""
