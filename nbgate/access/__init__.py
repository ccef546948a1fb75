"""Judge who may do what where. Pure; this room finds no session and forwards nothing."""
