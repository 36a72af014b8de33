"""Keeps Nexudus CRM opportunities and a sales team's own CRM in step, both ways, field by field."""
