"""The window: Qt widgets over the session and the services."""
