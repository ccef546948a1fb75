"""Judge from where a browser says a request comes, and where a login may send it afterwards.

Pure: values in, a Reason or None out. This room looks up no session and trusts no header it was not given.
"""
