"""De-identification: typed marks (〔姓名〕, 〔电话〕 …) for what can name a person, and an account of what was done."""

from tcm.identifiers.pseudonyms import read_key
from tcm.identifiers.records import Account, mask_case
from tcm.identifiers.text import mask_text
