"""Salesforce: REST with queryAll for reading, sObject Collections for writing."""

from connectors.salesforce.connector import Salesforce, connect

__all__ = ["Salesforce", "connect"]
