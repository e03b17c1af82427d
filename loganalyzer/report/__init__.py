"""The Report value (``model``), its JSON form and schema (``json_report``) and its terminal form (``terminal``)."""
