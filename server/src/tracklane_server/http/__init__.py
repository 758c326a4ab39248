"""The web server: Connexion and Flask around `dispatch`. Nothing below imports from here."""

from tracklane_server.http.lean import import_connexion

# Before any module of this package imports Connexion for itself.
import_connexion()
