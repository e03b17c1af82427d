"""What the HTML report is made of: what it shows of a report, the timeline, the bars, the template and its scripts."""
