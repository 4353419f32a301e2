"""Agents: what proposes networks and learns."""
