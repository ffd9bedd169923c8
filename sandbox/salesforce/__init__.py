"""The simulated Salesforce: REST API of versions 31 to 68 over the sandbox's vault."""

from sandbox.salesforce.app import salesforce_app
from sandbox.salesforce.schema import ORGANIZATION_ID, PERMISSION_SET_ID, RUN_AS_USER_ID
from sandbox.salesforce.writing import ASSIGNMENT_OWNER_ID

__all__ = ["ASSIGNMENT_OWNER_ID", "ORGANIZATION_ID", "PERMISSION_SET_ID", "RUN_AS_USER_ID", "salesforce_app"]
