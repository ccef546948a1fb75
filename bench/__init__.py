"""Side by side: nbgate, nginx with auth_request, Caddy. One command: `python -m bench`. How to read it: README.md."""
