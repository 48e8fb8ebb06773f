"""Threads and files behind the session: the engine, recording, runs, saved sessions; no Qt."""
