"""The server: a page and a REST API to which bundles are uploaded, that scans them and keeps the reports.

It needs the extra ``web`` (starlette, uvicorn, python-multipart). Everything that it keeps is in one data folder.
"""
