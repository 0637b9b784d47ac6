"""POST /v1/responses: OpenAI's API of items, served without its store.

names          what is called otherwise here than in chat
conversation   input items -> chat messages
fields         tools, format, reasoning -> chat's fields
reading        the body -> what is asked
items          one output item and its events
output         the items of one answer as it grows
writing        the response, whole and as a stream
"""

from gateway.api.inference import generation
from gateway.api.responses.names import refusal
from gateway.api.responses.reading import read_response

RESPONSES = generation(read_response, refusal)
