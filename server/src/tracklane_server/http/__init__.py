"""The web server: Connexion and Flask around `dispatch`. Nothing below imports from here."""
