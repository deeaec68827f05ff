"""Sorts of files by what their name ends with: what a person calls them, not what a program does with them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

OFFICE, PDF, PICTURE, MAIL = "office", "pdf", "picture", "mail"
DOCUMENTS = (OFFICE, PDF, PICTURE, MAIL)  # what people keep, and would miss
NO_EXTENSION, OTHER = "none", "other"  # words of the probe

_FAMILIES: Mapping[str, str] = {
    OFFICE: "doc docx docm dot dotx odt ott rtf xls xlsx xlsm xlsb xlt xltx ods ots ppt pptx pptm pps ppsx odp "
    "otp odg pub vsd vsdx wps pages numbers key csv one",
    PDF: "pdf xps",
    PICTURE: "jpg jpeg png gif bmp tif tiff webp heic heif svg raw cr2 nef psd ai dcm ico",
    MAIL: "pst ost mbox mbx eml msg dbx emlx olm",
    "text": "txt md log xml json yaml yml ini conf html htm tex",
    "video": "mp4 avi mov mkv wmv mpg mpeg m4v webm 3gp flv vob",
    "sound": "mp3 wav m4a ogg flac aac wma opus amr",
    "archive": "zip 7z rar tar gz tgz bz2 xz zst iso img cab",
    "database": "mdb accdb sqlite sqlite3 db db3 dbf fdb mdf ldf frm ibd sql dump bak",
    "machine": "vmdk vdi vhd vhdx qcow2 ova",
    "program": "exe dll msi so py js php jar class bat cmd ps1 sh apk deb rpm",
}
KIND_OF: Mapping[str, str] = MappingProxyType(
    {extension: kind for kind, extensions in _FAMILIES.items() for extension in extensions.split()}
)
